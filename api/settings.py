"""Settings of the server (设置): the only place that reads the environment. `SANTU_HOST=0.0.0.0 santu serve`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set; each by the environment as `SANTU_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SANTU_", env_file=None, extra="ignore")

    city: Path = Field(Path("city"), description="Folder of the city")
    host: str = Field(
        "127.0.0.1", description="Address to listen on; only this machine unless told otherwise"
    )
    port: int = Field(8321, ge=0, le=65535)
    hosts: tuple[str, ...] = Field(
        (), description="Domain names that this server answers to, beside addresses and names without a dot"
    )
    k: int = Field(5, ge=0, description="Counts of persons under k are suppressed")
    role: str = Field(
        "operator", pattern="^(public|operator|planner|admin)$", description="Role of every caller"
    )
    roots: tuple[str, ...] = Field(
        (), description="Grid ids whose subtrees are visible; none: the whole city"
    )
    basemap: str = Field(
        "", description="Raster basemap on the own network: XYZ address, or address or file of a TileJSON"
    )
    basemap_attribution: str = ""
    fold_after: int = Field(5000, ge=1, description="Live incidents that are folded into a new snapshot")
    tile_cache_mb: int = Field(128, ge=0, description="Compressed map tiles kept in memory")
    snapshot_after_s: float = Field(5.0, gt=0, description="Seconds until changed states are in the snapshot")
    fallback: Literal["fts5", "tantivy", "off"] = Field(
        "fts5", description="Text index over names that is asked where an address is unsure"
    )
    max_body_mb: int = Field(64, ge=1, description="Largest request body")
