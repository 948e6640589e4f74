/** Errors of the service, as problem+json has them. */

/** What the service answered in place of a result. */
export class ApiError extends Error {
  /**
   * @param {{status: number, type?: string, title?: string, detail?: string, requestId?: string,
   *   retryAfterS?: number}} problem - Status 0 where no answer came.
   */
  constructor({ status, type = "", title = "", detail = "", requestId = "", retryAfterS = 0 }) {
    super(detail || title || `status ${status}`);
    this.status = status;
    /**
     * Last part of the problem's type, such as "unknown-job"; "unreachable" where no answer came.
     */
    this.type = type.replace("urn:ecm-localizer:", "");
    this.title = title;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterS = retryAfterS;
  }
}

/** Returns the error where no answer came. */
export function unreachable() {
  return new ApiError({ status: 0, type: "unreachable", detail: "the service does not answer" });
}

/**
 * Returns the error of an answer.
 *
 * @param {number} status
 * @param {string} text - Body; a proxy's is no problem+json.
 * @param {(name: string) => string|null} header
 */
export function errorOf(status, text, header) {
  const shared = { status, requestId: header("X-Request-ID") ?? "",
    retryAfterS: Number(header("Retry-After")) || 0 };
  return new ApiError({ ...problemOf(text), ...shared });
}

function problemOf(text) {
  try {
    const { type, title, detail } = JSON.parse(text);
    return { type, title, detail };
  } catch {
    return { detail: text.slice(0, 300) };
  }
}
