"""Who may send, and when: the API's two windows, mirrored."""
