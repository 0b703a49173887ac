# docker build -t varve . && docker run -e VARVE_REQUIREPASS=secret -p 6379:6379 -v varve:/data varve
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake ninja-build g++ pkgconf liblz4-dev \
    libzstd-dev libxxhash-dev nlohmann-json3-dev libtomlplusplus-dev libssl-dev libcurl4-openssl-dev libmimalloc-dev
COPY . /source
WORKDIR /source
RUN cmake --preset release -DVARVE_BENCH=OFF && cmake --build --preset release --target varve_cli_binary

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends liblz4-1 libzstd1 libssl3 libcurl4 libmimalloc2.0 ca-certificates && \
    rm -rf /var/lib/apt/lists/* && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /source/build/release/varve /usr/bin/varve
USER 10001:10001
VOLUME /data
# Other hosts may come: without VARVE_REQUIREPASS (or VARVE_UNPROTECTED=true) it does not start.
ENV VARVE_BIND=0.0.0.0,:: VARVE_LOG_FORMAT=json
EXPOSE 6379
STOPSIGNAL SIGTERM
ENTRYPOINT ["varve", "server"]
CMD ["/data"]
