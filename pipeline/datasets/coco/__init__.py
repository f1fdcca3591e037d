"""DensePose-COCO annotations -> crops and part masks."""
