# The program and nothing else: no shell, no package manager, no root.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/callgate /usr/local/bin/callgate
WORKDIR /etc/callgate
# The number of `nonroot`.
USER 65532
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=5s --start-period=5s CMD ["callgate", "health"]
ENTRYPOINT ["callgate"]
CMD ["serve", "--config", "/etc/callgate/callgate.toml"]
