"""What of a picture is painted and what stays: drawn masks, and masks from words."""
