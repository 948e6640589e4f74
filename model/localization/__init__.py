"""From the class activation sequence (CAS) of a video to its segments."""
