"""Bare Starlette that gives the body back: what a request costs at least on uvicorn."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def predict(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
