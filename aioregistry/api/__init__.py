"""What the vendor's API is: its calls, names, models and answers. Nothing here sends anything."""
