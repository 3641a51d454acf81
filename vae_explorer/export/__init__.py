"""From arrays to files: pictures, tables and the recipes that repeat them."""
