"""The plain data of the domain: pictures, boxes, masks, regions, messages. NumPy and Pillow only."""
