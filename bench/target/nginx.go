package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nginxConf is one worker, as nchan is measured elsewhere: its workers would
// have to tell each other of every message. The locations are nchan as it
// comes, except that /many/ gathers what has come into one answer.
const nginxConf = `load_module %s;
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid %[2]s/nginx.pid;
error_log stderr warn;
events { worker_connections 19900; multi_accept on; }
http {
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	server {
		listen 127.0.0.1:%[3]d backlog=4096;
		location ~ ^/pub/(\w+)$ {
			nchan_publisher;
			nchan_channel_id $1;
			nchan_message_buffer_length 1000;
			nchan_message_timeout 5m;
		}
		location ~ ^/sub/(\w+)$ {
			nchan_subscriber longpoll;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
		}
		location ~ ^/many/(\w+)$ {
			nchan_subscriber longpoll;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
			nchan_longpoll_multipart_response raw;
		}
		location ~ ^/sse/(\w+)$ {
			nchan_subscriber eventsource;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
		}
		location ~ ^/ws/(\w+)$ {
			nchan_subscriber websocket;
			nchan_channel_id $1;
			nchan_subscriber_first_message newest;
		}
	}
}
`

// nginx is the command for an nginx with nchan, and what makes its folder.
func nginx() (command string, prepare func(dir string, port int) error, note string) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // Debian's, not on everybody's PATH
		if _, err := os.Stat(binary); err != nil {
			return "", nil, "install nginx and libnginx-mod-nchan"
		}
	}
	module := nchanModule()
	if module == "" {
		return "", nil, "nginx is here, but not its module; install libnginx-mod-nchan"
	}
	prepare = func(dir string, port int) error {
		return os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxConf, module, dir, port), 0o644)
	}
	return "exec " + binary + " -p {dir} -c {dir}/nginx.conf", prepare, ""
}

func nchanModule() string {
	for _, dir := range []string{"/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"} {
		found, _ := filepath.Glob(filepath.Join(dir, "*nchan*.so"))
		if len(found) > 0 && !strings.ContainsAny(found[0], " ;") {
			return found[0]
		}
	}
	return ""
}
