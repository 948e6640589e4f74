/** The view of a job under way. */

/** Shows a job until its end; returns its last state. */
export async function showWorking(root, { job, api, signal }) {
  let last = job;
  for await (const state of api.follow(job.id, signal)) last = state;
  return last;
}

/** Shows an upload, then its job. */
export async function showUpload() {}
