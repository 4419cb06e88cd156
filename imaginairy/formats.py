"""In which formats pictures and animations are saved; nothing here needs Pillow."""

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
"""Those of pictures: Pillow's names, by how files end."""
ANIMATIONS = ("gif", "mp4", "webp")
"""Those of animations, as files end."""
