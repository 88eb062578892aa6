#!/usr/bin/env bash
# Serves a folder of repositories over HTTP and HTTPS on loopback: nginx, fcgiwrap, git http-backend.
#
#   git-http-server.sh [ROOT]
#
# Prints `key=value` lines (root, http, https, certificate, requests) and then `ready`. Serves until
# its standard input is closed, then ends what it started and removes its files. Without ROOT it
# serves an empty folder of its own, which goes away with it.
#
# PASSWORDS/WHO has the lines of those who may see /only/WHO/, and may be changed. Where a user is known,
# refs/heads/not-for-USER is hidden from that user.
#
# Under both URLs, for a repository ROOT/NAME.git:
#   /git/NAME.git        as git http-backend serves it, every protocol version
#   /git/@LABEL/...      the same; LABEL only tells requests apart in the log
#   /old/NAME.git        a server that knows no Git-Protocol header: version 0 only
#   /gzip/NAME.git       answers compressed
#   /auth/NAME.git       HTTP Basic: user "ada", password "l0vel@ce"
#   /only/WHO/NAME.git   HTTP Basic: WHO is "ada", "grace" (password "h0pper@c0b0l"), or "both"
#   /slow/NAME.git       answers at 64 KiB a second
#   /dumb/NAME.git       plain files, for the dumb protocol
#   /moved/NAME.git      302 to /git/, with the query kept
#   /loop/NAME.git       a redirect to itself
#   /page/...            a web page;  /status/CODE/...  an empty answer with that code
#   /odd/MODE/NAME.git   a server with a fault: see Tests/Fixtures/odd-backend.py
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin

die() {
    echo "git-http-server: $1" >&2
    exit 1
}
for tool in git nginx fcgiwrap openssl python3; do
    command -v "$tool" >/dev/null || die "$tool is not installed: run 'make bootstrap'"
done
backend=$(git --exec-path)/git-http-backend
[[ -x $backend ]] || die "git has no http-backend at $backend"

state=$(mktemp -d "${TMPDIR:-/tmp}/apus-http.XXXXXX")
state=$(cd "$state" && pwd -P)
mkdir "$state/tmp" "$state/home"
root=${1:-$state/root}
mkdir -p "$root"
root=$(cd "$root" && pwd -P)

nginx_pid='' fcgi_pid=''
stop() {
    trap - EXIT
    # Each runs in a process group of its own, so that its workers go with it.
    for pid in $nginx_pid $fcgi_pid; do kill -TERM -- "-$pid" 2>/dev/null || true; done
    for pid in $nginx_pid $fcgi_pid; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$state"
}
trap stop EXIT
trap 'exit 0' TERM INT HUP

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$state/key.pem" -out "$state/cert.pem" 2>/dev/null || die "openssl made no certificate"
mkdir "$state/passwords"
printf 'ada:%s\n' "$(openssl passwd -apr1 -salt apus 'l0vel@ce')" >"$state/passwords/ada"
printf 'grace:%s\n' "$(openssl passwd -apr1 -salt apus 'h0pper@c0b0l')" >"$state/passwords/grace"
cat "$state/passwords/ada" "$state/passwords/grace" >"$state/passwords/both"

# What every CGI location passes on. $1: further lines.
cgi() {
    cat <<END
            fastcgi_pass "unix:$state/fcgi.sock";
            fastcgi_param GIT_PROJECT_ROOT "$root";
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_CONFIG_NOSYSTEM 1;
            fastcgi_param GIT_CONFIG_COUNT 3;
            fastcgi_param GIT_CONFIG_KEY_0 safe.directory;
            fastcgi_param GIT_CONFIG_VALUE_0 "*";
            fastcgi_param GIT_CONFIG_KEY_1 uploadpack.allowFilter;
            fastcgi_param GIT_CONFIG_VALUE_1 true;
            fastcgi_param GIT_CONFIG_KEY_2 uploadpack.hideRefs;
            fastcgi_param GIT_CONFIG_VALUE_2 "refs/heads/not-for-\$remote_user";
            fastcgi_param HOME "$state/home";
            fastcgi_param PATH "$PATH";
            fastcgi_param PATH_INFO /\$repository;
            fastcgi_param QUERY_STRING \$query_string;
            fastcgi_param REQUEST_METHOD \$request_method;
            fastcgi_param CONTENT_TYPE \$content_type;
            fastcgi_param CONTENT_LENGTH \$content_length;
            fastcgi_param REMOTE_ADDR \$remote_addr;
            fastcgi_param REMOTE_USER \$remote_user;
            $1
END
}
plain="fastcgi_param SCRIPT_FILENAME \"$backend\";"
versions='fastcgi_param GIT_PROTOCOL $http_git_protocol;'
version_0='fastcgi_param HTTP_GIT_PROTOCOL "";'
odd="fastcgi_param SCRIPT_FILENAME \"$here/../Tests/Fixtures/odd-backend.py\";
            fastcgi_param ODD \$mode;"

write_configuration() { # $1: port of HTTP, $2: port of HTTPS
    local user=''
    [[ $(id -u) != 0 ]] || user='user root;'
    cat >"$state/nginx.conf" <<END
$user
daemon off;
worker_processes 1;
pid "$state/nginx.pid";
error_log "$state/error.log" warn;
events { worker_connections 256; }
http {
    default_type application/octet-stream;
    log_format requests '\$request_method \$status \$request_uri protocol="\$http_git_protocol" '
        'connection=\$connection agent="\$http_user_agent" accepts="\$http_accept_encoding" '
        'encoding="\$sent_http_content_encoding" user="\$remote_user" http=\$server_protocol bytes=\$body_bytes_sent';
    access_log "$state/requests.log" requests;
    client_body_temp_path "$state/tmp/body";
    proxy_temp_path "$state/tmp/proxy";
    fastcgi_temp_path "$state/tmp/fastcgi";
    uwsgi_temp_path "$state/tmp/uwsgi";
    scgi_temp_path "$state/tmp/scgi";
    client_max_body_size 0;
    fastcgi_buffering off;
    fastcgi_request_buffering off;
    fastcgi_read_timeout 600s;
    absolute_redirect off;

    server {
        listen 127.0.0.1:$1;
        listen 127.0.0.1:$2 ssl http2;
        ssl_certificate "$state/cert.pem";
        ssl_certificate_key "$state/key.pem";

        location = /ready { return 200 "$state"; }
        location ~ ^/git/(?:@[^/]+/)?(?<repository>.+)\$ {
$(cgi "$plain $versions")
        }
        location ~ ^/old/(?<repository>.+)\$ {
$(cgi "$plain $version_0")
        }
        location ~ ^/gzip/(?:@[^/]+/)?(?<repository>.+)\$ {
            gzip on;
            gzip_types *;
            gzip_min_length 0;
$(cgi "$plain $versions")
        }
        location ~ ^/auth/(?:@[^/]+/)?(?<repository>.+)\$ {
            auth_basic "Apus tests";
            auth_basic_user_file "$state/passwords/ada";
$(cgi "$plain $versions")
        }
        location ~ ^/only/(?<who>[a-z0-9-]+)/(?<repository>.+)\$ {
            auth_basic "Apus tests";
            auth_basic_user_file "$state/passwords/\$who";
$(cgi "$plain $versions")
        }
        location ~ ^/slow/(?<repository>.+)\$ {
            limit_rate 64k; # which nginx does only for what it buffers
            fastcgi_buffering on;
            fastcgi_max_temp_file_size 0;
$(cgi "$plain $versions")
        }
        location ~ ^/wan/(?<repository>.+)\$ {
            limit_rate 10m;
            fastcgi_buffering on;
            fastcgi_max_temp_file_size 0;
$(cgi "$plain $versions")
        }
        location ~ ^/odd/(?<mode>[^/]+)/(?<repository>.+)\$ {
            fastcgi_buffering on;
$(cgi "$odd $versions")
        }
        location ~ ^/dumb/(?<repository>.+)\$ { alias "$root/\$repository"; }
        location ~ ^/moved/(?<repository>.+)\$ { return 302 /git/\$repository\$is_args\$args; }
        location ~ ^/loop/ { return 302 \$request_uri; }
        location /page/ {
            default_type text/html;
            return 200 "<!doctype html><title>A page</title><p>Nothing to clone.</p>";
        }
        location /status/400/ { return 400; }
        location /status/401/ {
            add_header WWW-Authenticate 'Basic realm="Apus tests"' always;
            return 401;
        }
        location /status/403/ { return 403; }
        location /status/404/ { return 404; }
        location /status/410/ { return 410; }
        location /status/429/ { return 429; }
        location /status/500/ { return 500; }
        location /status/503/ { return 503; }
        location / { return 404; }
    }
}
END
}

# True when the server at port $1 is this one.
is_ours() {
    local answer=''
    {
        exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf 'GET /ready HTTP/1.0\r\n\r\n' >&3 && answer=$(cat <&3) && exec 3>&-
    } 2>/dev/null || return 1
    [[ $answer == *"$state" ]]
}

set -m # a process group for each job
env -i PATH="$PATH" HOME="$state/home" fcgiwrap -s "unix:$state/fcgi.sock" -c 32 \
    </dev/null >/dev/null 2>"$state/cgi.log" &
fcgi_pid=$!

start_nginx() {
    local http=$((20000 + RANDOM % 6000)) https=$((26000 + RANDOM % 6000))
    write_configuration "$http" "$https"
    nginx -p "$state" -e "$state/error.log" -c "$state/nginx.conf" </dev/null >/dev/null 2>&1 &
    nginx_pid=$!
    for _ in {1..100}; do
        if is_ours "$http"; then
            printf '%s=%s\n' root "$root" http "http://127.0.0.1:$http" \
                https "https://127.0.0.1:$https" certificate "$state/cert.pem" \
                requests "$state/requests.log" passwords "$state/passwords"
            return 0
        fi
        kill -0 "$nginx_pid" 2>/dev/null || break # a port was taken: the caller tries others
        sleep 0.05
    done
    kill -TERM -- "-$nginx_pid" 2>/dev/null || true
    wait "$nginx_pid" 2>/dev/null || true
    nginx_pid=''
    return 1
}
for _ in {1..10}; do
    start_nginx && break
done
[[ -n $nginx_pid ]] || die "nginx did not start: $(tail -n 3 "$state/error.log" 2>/dev/null)"
for _ in {1..100}; do
    [[ ! -S $state/fcgi.sock ]] || break
    sleep 0.05
done
[[ -S $state/fcgi.sock ]] || die "fcgiwrap did not start: $(tail -n 3 "$state/cgi.log")"
echo ready

# In the background, so that a signal ends the wait at once.
set +m
cat <&0 >/dev/null &
wait $!
