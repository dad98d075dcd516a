"""The work of ``delete-tags``, ``delete-manifests`` and ``delete-repository``."""
