"""Trained ensembles as ONNX graphs: written, compared with their networks, and run by onnxruntime."""
