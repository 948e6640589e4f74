"""From a video file to snippets of RGB frames, by presentation time."""
