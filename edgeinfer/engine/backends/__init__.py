"""The only importers of the native libraries."""
