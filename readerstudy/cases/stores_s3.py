"""Pixels as objects of a bucket in S3-compatible storage, with copies of what was read on this machine.

Keys are like the paths of the folder, ``prefix/ab/cdef...``, so that a folder can be copied into a bucket by any tool.
Four calls are used: PutObject, GetObject, HeadObject and ListObjectsV2. boto3 is imported at the first of them.
"""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from readerstudy.cases.stores import NAME, NO_LIBRARY, PixelsAway, missing, require_name, require_sound
from readerstudy.cases.stores_cache import Cache
from readerstudy.configuration import Bucket

ATTEMPTS = 3
CONNECT_SECONDS, READ_SECONDS, PROBE_SECONDS = 3, 10, 3
NOT_THERE = {"404", "NoSuchKey", "NotFound"}
FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
REFUSED = {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized"}
PROBE = ".check"


@dataclass(frozen=True)
class S3Store:
    """The objects below the bucket's prefix."""

    bucket: Bucket
    cache: Cache

    def write(self, name: str, content: bytes) -> None:
        if self._size(name) == len(content):
            return
        digest = base64.b64encode(bytes.fromhex(name)).decode()
        with self._speaking() as client:
            client.put_object(**self._object(name), Body=content, ChecksumSHA256=digest)

    def read(self, name: str, *, fresh: bool = False) -> bytes:
        require_name(name)
        if not fresh and (copy := self.cache.get(name)) is not None:
            return copy
        content = self._download(name)
        require_sound(name, content)
        if not fresh:
            self.cache.keep(name, content)
        return content

    def exists(self, name: str) -> bool:
        return self._size(name) is not None

    def names(self) -> Iterator[str]:
        start = self._key("")
        with self._speaking() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name, Prefix=start)
            for page in pages:
                for found in page.get("Contents", ()):
                    folder, _, rest = found["Key"].removeprefix(start).partition("/")
                    if len(folder) == 2 and NAME.fullmatch(folder + rest):
                        yield folder + rest

    def trouble(self, *, writing: bool = False) -> str:
        """Asks once and waits three seconds at most; the object written is ``.check`` below the prefix."""
        try:
            with self._speaking(patient=False) as client:
                client.list_objects_v2(Bucket=self.bucket.name, Prefix=self._key(""), MaxKeys=1)
                if writing:
                    client.put_object(Bucket=self.bucket.name, Key=self._key(PROBE), Body=b"")
        except PixelsAway as error:
            return str(error)
        except OSError as error:
            return f"{error.strerror}."
        return self.cache.trouble()

    def _size(self, name: str) -> int | None:
        """Bytes of the object; None where there is none."""
        require_name(name)
        with self._speaking() as client:
            try:
                return int(client.head_object(**self._object(name))["ContentLength"])
            except client.exceptions.ClientError as error:
                if _code(error) in NOT_THERE:
                    return None
                raise

    def _download(self, name: str) -> bytes:
        """The object's bytes; a transfer that breaks off is begun again."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        with self._speaking() as client:
            for attempt in range(ATTEMPTS):
                try:
                    body = client.get_object(**self._object(name))["Body"]
                except client.exceptions.NoSuchKey:
                    raise missing(name) from None
                try:
                    return bytes(body.read())
                except (HTTPClientError, IncompleteReadError):
                    body.close()
                    if attempt == ATTEMPTS - 1:
                        raise
        raise AssertionError

    def _key(self, rest: str) -> str:
        return f"{self.bucket.prefix}/{rest}" if self.bucket.prefix else rest

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket.name, "Key": self._key(f"{name[:2]}/{name[2:]}")}

    @contextmanager
    def _speaking(self, *, patient: bool = True) -> Iterator[Any]:
        """The client; what goes wrong with it becomes ``PixelsAway``, or an OSError where the storage is full."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise PixelsAway(NO_LIBRARY) from None
        try:
            yield _client(self.bucket, patient, os.getpid())
        except ClientError as error:
            raise self._refusal(_code(error)) from error
        except BotoCoreError as error:
            raise PixelsAway(self._silence(error)) from error

    def _refusal(self, code: str) -> Exception:
        name = f"The bucket {self.bucket.name}"
        if code in FULL:
            return OSError(errno.EDQUOT, f"{name} is full ({code}): make room in the storage")
        if code == "NoSuchBucket":
            return PixelsAway(f"{name} does not exist: make it, or correct READERSTUDY_PIXELS.")
        if code in REFUSED:
            return PixelsAway(
                f"{name} refuses these keys ({code}): correct READERSTUDY_S3_ACCESS_KEY and READERSTUDY_S3_SECRET_KEY, "
                "or let their owner read, write and list in it."
            )
        return PixelsAway(f"{name} can't be used ({code}): look at the storage and at the READERSTUDY_S3_ settings.")

    def _silence(self, error: Exception) -> str:
        from botocore.exceptions import ConnectionError, HTTPClientError, NoCredentialsError

        name = f"The bucket {self.bucket.name}"
        if isinstance(error, NoCredentialsError):
            return f"{name} needs keys: set READERSTUDY_S3_ACCESS_KEY and READERSTUDY_S3_SECRET_KEY."
        if isinstance(error, ConnectionError | HTTPClientError):
            return f"{name} does not answer: start the storage, or correct READERSTUDY_S3_ENDPOINT."
        return f"{name} can't be used ({type(error).__name__}): correct the READERSTUDY_S3_ settings."


@lru_cache(maxsize=8)
def _client(bucket: Bucket, patient: bool, process: int) -> Any:
    """One client per process, which its threads share; ``patient`` ones try again and wait longer."""
    from boto3.session import Session
    from botocore.config import Config

    seconds = (CONNECT_SECONDS, READ_SECONDS) if patient else (PROBE_SECONDS, PROBE_SECONDS)
    config = Config(
        signature_version="s3v4",
        connect_timeout=seconds[0],
        read_timeout=seconds[1],
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS if patient else 1},
        max_pool_connections=16,
        # Ours are checked on both ways; those that boto3 would add on its own are unknown to other makers' storage.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if bucket.endpoint else "auto", "payload_signing_enabled": True},
    )
    session = Session(bucket.access_key or None, bucket.secret_key or None, region_name=bucket.region)
    return session.client("s3", endpoint_url=bucket.endpoint or None, config=config)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
