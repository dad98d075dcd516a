"""What runs somewhere, and is therefore kept."""
