# Makes of nginx.conf what compose.yaml needs: the lines for several instances count.
s/^user www-data;/user nginx;/
s|^error_log /var/log/nginx/error.log;|error_log stderr;|
/^ *server 127\.0\.0\.1:8080;/d
s/^\( *\)#     \(hash .*\)/\1\2/
s/^\( *\)#     server 127\.0\.0\.1:808\([123]\)/\1server pubsub-\2:8080/
