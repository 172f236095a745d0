"""Charts as SVG, and the trees that pages and drawings are made of."""
