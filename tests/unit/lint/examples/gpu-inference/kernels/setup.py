from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

setup(
    name="kernels",
    version="0.3.0",
    ext_modules=[CUDAExtension("kernels", ["scan.cu"])],
    cmdclass={"build_ext": BuildExtension},
)
