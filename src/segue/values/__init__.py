"""The plain data of the domain: pictures, boxes, masks, regions. NumPy and Pillow only."""
