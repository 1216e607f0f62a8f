"""What CUDA an image needs, what a host offers, and which GPU architectures a library holds code for."""
