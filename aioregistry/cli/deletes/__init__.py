"""The work of ``delete-tags`` and ``delete-manifests``, and their options."""
