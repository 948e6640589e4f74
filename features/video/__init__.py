"""Video decoding: from a video file to snippets of RGB frames."""
