"""Where models lie and how they are fetched; nothing here needs torch."""
