# What root's parts of the steps use: `. /lab/tour/lib.sh`

# until_ SECONDS COMMAND...: waits until it succeeds.
until_() {
    end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 1
    done
}

# as_app COMMAND: in a login of the application's user, as all that its developers start.
as_app() { ssh -q -n -o BatchMode=yes -o StrictHostKeyChecking=no -i /run/lab/key app@localhost "$1"; }

shop_answers() { curl -fsS -m 10 -o /dev/null http://localhost/ping.php; }

# calm: waits until no job is left and there is room again.
no_jobs() { ! pgrep -x -u app php > /dev/null; }
calm() {
    until_ 120 no_jobs
    sleep 3
}

# value COMMAND EXPRESSION: of its JSON, by Python in d.
value() { headroom "$1" --format json | python3 -c "import json, sys; d = json.load(sys.stdin); print($2)"; }

verdicts() { value history "sum(len(i['verdicts']) for i in d['incidents'])"; }

mails() { ls /run/lab/mail/new 2> /dev/null | wc -l; }
