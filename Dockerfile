# The server as an image: one static binary and nothing else. compose.yaml in deploy/ uses it.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /pubsub . && mkdir /data

FROM scratch
# For rediss://, whose certificate is verified.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /pubsub /pubsub
# For PUBSUB_HISTORY=/data: a named volume that is mounted here belongs to the user below.
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
ENV PUBSUB_ADDR=:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/pubsub", "health"]
ENTRYPOINT ["/pubsub"]
