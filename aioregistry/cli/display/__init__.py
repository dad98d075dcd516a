"""What commands show: lists, tables, progress."""
