"""The start view: choosing a model, files that are refused, folders, addresses, recent jobs."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from reliability.random_model import publish_random, publish_random_of_videos
from reliability.server import Target
from reliability.server import server as serve
from service.http.api_keys import KeyRecord

ODD = "match_final “A/B” <img src=x onerror=alert(1)> 🏋.mp4"
"""A name that would be trouble as HTML."""
"""
"""
