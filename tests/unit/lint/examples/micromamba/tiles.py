import rasterio

with rasterio.open("/data/tiles.tif") as tiles:
    print(tiles.shape)
