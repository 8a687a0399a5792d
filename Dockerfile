# The whole program for `docker run` and compose.yaml. tests/test_container.py carries out the same steps without an engine.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY payment_kit payment_kit
COPY sql sql
COPY notebooks notebooks
RUN python -m venv --without-pip /opt/payment-kit \
 && python -m pip --python /opt/payment-kit/bin/python install --constraint constraints.txt '.[embedded]'

FROM python:3.11-slim-bookworm
# PostgreSQL, which the program starts when it is given none, wants an account with a name. Nothing is installed here.
RUN groupadd --gid 10001 payment-kit \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/payment-kit --no-create-home --shell /usr/sbin/nologin payment-kit \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/payment-kit \
 && python -m pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip
COPY --from=build /opt/payment-kit /opt/payment-kit
ENV PATH=/opt/payment-kit/bin:$PATH \
    PAYMENT_KIT_HOME=/var/lib/payment-kit \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/payment-kit
VOLUME /var/lib/payment-kit
USER 10001:10001
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=3 CMD ["payment-kit", "health"]
ENTRYPOINT ["payment-kit"]
CMD ["serve"]
