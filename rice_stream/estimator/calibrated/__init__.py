"""`rice-calibrated`: a physical law fitted to public benchmarks and measured H100/H200 data, with calibrated ranges."""
