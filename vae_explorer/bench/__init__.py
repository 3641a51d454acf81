"""What `vae-explorer bench` measures: training of this program beside a plain torch loop and other libraries."""
