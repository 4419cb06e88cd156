"""What is done to a picture after, or beside, drawing it: one file a step."""
