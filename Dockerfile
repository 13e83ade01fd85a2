# The server as an image: one static binary and nothing else. compose.yaml in deploy/ uses it.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /pubsub .

FROM scratch
# For rediss://, whose certificate is verified.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /pubsub /pubsub
USER 65534:65534
ENV PUBSUB_ADDR=:8080
EXPOSE 8080
ENTRYPOINT ["/pubsub"]
