"""What loads the models beside the one that draws, by role."""

from imaginairy.sources.roles import IMAGE_ENCODER

LOADERS = {
    "depth": "imaginairy.models.depth:load_depth",
    "soft-edges": "imaginairy.models.edges:load_edges",
    "pose": "imaginairy.models.pose:load_pose",
    "person-detector": "imaginairy.models.people:load_people",
    "segmenter": "imaginairy.models.scenes:load_scenes",
    "mask": "imaginairy.models.segmentation:load_segmenter",
    "upscaler": "imaginairy.models.upscaler:load_upscaler",
    "face-detector": "imaginairy.models.faces:load_detector",
    "face-restorer": "imaginairy.models.faces:load_restorer",
    "captioner": "imaginairy.models.captioning:load_captioner",
    "similarity": "imaginairy.models.similarity:load_comparer",
    "safety": "imaginairy.models.safety:load_safety_checker",
    IMAGE_ENCODER: "imaginairy.models.image_encoder:load_image_encoder",
}
"""What makes a model for each role beside the drawing out of its row, on a device; most
pictures need none of them."""
