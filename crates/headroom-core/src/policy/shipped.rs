//! Each shipped rule on the processes it is for, as Debian, Ubuntu and RHEL run them, and on one
//! that a user starts to look like them.

use super::*;

/// A process as one line: uid, comm, executable, title or command line, cgroup.
struct Seen(u32, &'static str, &'static str, &'static str, &'static str);

const SYSTEM: &str = "/system.slice/";
/// Where a user's own work may stand: none of these makes a unit of the system.
const SESSION: &str = "/user.slice/user-1000.slice/session-4.scope";
const MANAGER: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice/";

fn judge(Seen(uid, comm, exe, command, cgroup): &Seen) -> (Class, String) {
    let policy = Policy::built_in();
    let title = command.replace(' ', "\0");
    // A title is written over the arguments with its blanks; only real arguments have NULs.
    let title = if command.contains(": ") { (*command).into() } else { title };
    let (class, rule) = policy.classify(&Identity {
        uid: *uid,
        comm: &comm.as_bytes()[..comm.len().min(15)],
        exe: Some(exe.as_bytes()),
        cmdline: Some(title.as_bytes()),
        cgroup: Some(cgroup.as_bytes()),
        parent_uid: Some(1),
        parent_exe: None,
    });
    (class, policy.rule(rule).map(|r| r.name.clone()).unwrap_or_default())
}

#[test]
fn shipped_rules_know_the_servers_of_debian_ubuntu_and_rhel() {
    use Class::{Essential, Expendable, Normal, System};
    #[rustfmt::skip]
    let cases = [
        // MySQL 8 on Ubuntu and from Oracle's and RHEL's packages; MariaDB; Percona Server and XtraDB Cluster.
        ("headroom-agent", System, Seen(990, "headroom-agent", "/usr/sbin/headroom-agent", "/usr/sbin/headroom-agent", "/headroom-agent.service")),
        ("mysql", Essential, Seen(114, "mysqld", "/usr/sbin/mysqld", "/usr/sbin/mysqld", "/system.slice/mysql.service")),
        ("mysql", Essential, Seen(27, "mysqld", "/usr/libexec/mysqld", "/usr/libexec/mysqld --basedir=/usr", "/system.slice/mysqld.service")),
        ("mysql", Essential, Seen(27, "mysqld", "/usr/sbin/mysqld", "/usr/sbin/mysqld", "/system.slice/mysqld.service")),
        ("mysql", Essential, Seen(107, "mariadbd", "/usr/sbin/mariadbd", "/usr/sbin/mariadbd", "/limited.slice/mariadb.service")),
        ("mysql", Essential, Seen(27, "mariadbd", "/usr/libexec/mariadbd", "/usr/libexec/mariadbd --basedir=/usr", "/system.slice/mariadb.service")),
        ("mysql", Essential, Seen(27, "mysqld", "/usr/libexec/mysqld", "/usr/libexec/mysqld", "/system.slice/mariadb.service")),
        ("mysql", Essential, Seen(110, "mysqld", "/usr/sbin/mysqld", "/usr/sbin/mysqld --wsrep-new-cluster", "/system.slice/system-mysql.slice/mysql@bootstrap.service")),
        // PostgreSQL of Debian, RHEL and the PGDG.
        ("postgresql", Essential, Seen(109, "postgres", "/usr/lib/postgresql/15/bin/postgres", "postgres: 15/main: checkpointer ", "/system.slice/system-postgresql.slice/postgresql@15-main.service")),
        ("postgresql", Essential, Seen(26, "postmaster", "/usr/bin/postgres", "/usr/bin/postmaster -D /var/lib/pgsql/data", "/system.slice/postgresql.service")),
        ("postgresql", Essential, Seen(26, "postgres", "/usr/pgsql-16/bin/postgres", "/usr/pgsql-16/bin/postgres -D /x", "/system.slice/postgresql-16.service")),
        // php-fpm from 5 to 8: Debian, Sury, RHEL, Remi, Software Collections, cPanel, Plesk.
        ("php-fpm", Essential, Seen(0, "php-fpm8.2", "/usr/sbin/php-fpm8.2", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)", "/system.slice/php8.2-fpm.service")),
        ("php-fpm", Essential, Seen(1000, "php-fpm7.0", "/usr/sbin/php-fpm7.0", "php-fpm: pool www", "/limited.slice/php7.0-fpm.service")),
        ("php-fpm", Essential, Seen(33, "php5-fpm", "/usr/sbin/php5-fpm", "php-fpm: pool www", "/system.slice/php5-fpm.service")),
        ("php-fpm", Essential, Seen(48, "php-fpm", "/usr/sbin/php-fpm", "php-fpm: pool www", "/system.slice/php-fpm.service")),
        ("php-fpm", Essential, Seen(48, "php-fpm", "/opt/remi/php82/root/usr/sbin/php-fpm", "php-fpm: pool www", "/system.slice/php82-php-fpm.service")),
        ("php-fpm", Essential, Seen(48, "php-fpm", "/opt/rh/rh-php73/root/usr/sbin/php-fpm", "php-fpm: pool www", "/system.slice/rh-php73-php-fpm.service")),
        ("php-fpm", Essential, Seen(1001, "php-fpm", "/opt/cpanel/ea-php82/root/usr/sbin/php-fpm", "php-fpm: pool shop_example", "/system.slice/ea-php82-php-fpm.service")),
        ("php-fpm", Essential, Seen(10001, "php-fpm", "/opt/plesk/php/8.2/sbin/php-fpm", "php-fpm: pool shop.example", "/system.slice/plesk-php82-fpm.service")),
        // nginx and OpenResty.
        ("nginx", Essential, Seen(33, "nginx", "/usr/sbin/nginx", "nginx: worker process", "/system.slice/nginx.service")),
        ("nginx", Essential, Seen(0, "nginx", "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx", "/limited.slice/nginx.service")),
        ("nginx", Essential, Seen(65534, "nginx", "/usr/local/openresty/nginx/sbin/nginx", "nginx: worker process", "/system.slice/openresty.service")),
        ("nginx-shutting-down", Expendable, Seen(33, "nginx", "/usr/sbin/nginx", "nginx: worker process is shutting down", "/system.slice/nginx.service")),
        ("apache", Essential, Seen(33, "apache2", "/usr/sbin/apache2", "/usr/sbin/apache2 -k start", "/system.slice/apache2.service")),
        ("apache", Essential, Seen(48, "httpd", "/usr/sbin/httpd", "/usr/sbin/httpd -DFOREGROUND", "/system.slice/httpd.service")),
        ("redis", Essential, Seen(108, "redis-server", "/usr/bin/redis-check-rdb", "/usr/bin/redis-server 127.0.0.1:6379", "/system.slice/redis-server.service")),
        ("redis", Essential, Seen(993, "redis-server", "/usr/bin/redis-server", "/usr/bin/redis-server 127.0.0.1:6379", "/system.slice/redis.service")),
        ("redis", Essential, Seen(108, "redis-server", "/usr/bin/redis-check-rdb", "/usr/bin/redis-server *:6380", "/system.slice/system-redis\\x2dserver.slice/redis-server@cache.service")),
        ("valkey", Essential, Seen(108, "valkey-server", "/usr/bin/valkey-check-rdb", "/usr/bin/valkey-server 127.0.0.1:6379", "/system.slice/valkey-server.service")),
        ("valkey", Essential, Seen(990, "valkey-server", "/usr/bin/valkey-server", "/usr/bin/valkey-server 127.0.0.1:6379", "/system.slice/valkey.service")),
        ("memcached", Essential, Seen(112, "memcached", "/usr/bin/memcached", "/usr/bin/memcached -m 64 -u memcache", "/system.slice/memcached.service")),
        ("varnish", Essential, Seen(113, "cache-main", "/usr/sbin/varnishd", "/usr/sbin/varnishd -a :6081", "/system.slice/varnish.service")),
        ("rabbitmq", Essential, Seen(115, "beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w", "/system.slice/rabbitmq-server.service")),
        ("rabbitmq", Essential, Seen(987, "1_scheduler", "/usr/lib64/erlang/erts-14.2/bin/beam.smp", "/usr/lib64/erlang/erts-14.2/bin/beam.smp", "/system.slice/rabbitmq-server.service")),
        ("elasticsearch", Essential, Seen(116, "java", "/usr/share/elasticsearch/jdk/bin/java", "/usr/share/elasticsearch/jdk/bin/java -Xms1g -Xmx1g", "/system.slice/elasticsearch.service")),
        ("elasticsearch", Essential, Seen(116, "controller", "/usr/share/elasticsearch/modules/x-pack-ml/platform/linux-x86_64/bin/controller", "controller", "/limited.slice/elasticsearch.service")),
        ("opensearch", Essential, Seen(117, "java", "/usr/share/opensearch/jdk/bin/java", "/usr/share/opensearch/jdk/bin/java -Xmx2g", "/system.slice/opensearch.service")),
        ("sshd", System, Seen(0, "sshd", "/usr/sbin/sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "/system.slice/ssh.service")),
        ("sshd", System, Seen(74, "sshd", "/usr/sbin/sshd", "sshd: root [net]", "/system.slice/sshd.service")),
        ("cron", System, Seen(0, "cron", "/usr/sbin/cron", "/usr/sbin/cron -f", "/limited.slice/cron.service")),
        ("cron", System, Seen(0, "crond", "/usr/sbin/crond", "/usr/sbin/crond -n", "/system.slice/crond.service")),
        ("postfix", System, Seen(106, "qmgr", "/usr/lib/postfix/sbin/qmgr", "qmgr -l -t unix -u", "/system.slice/system-postfix.slice/postfix@-.service")),
        ("postfix", System, Seen(89, "pickup", "/usr/libexec/postfix/pickup", "pickup -l -t unix -u", "/system.slice/postfix.service")),
        ("supervisord", System, Seen(0, "supervisord", "/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/supervisord -n -c /etc/supervisor/supervisord.conf", "/system.slice/supervisor.service")),
        ("supervisord", System, Seen(0, "supervisord", "/usr/bin/python3.9", "/usr/bin/python3 -s /usr/bin/supervisord", "/system.slice/supervisord.service")),
        ("pm2", Normal, Seen(1000, "PM2 v5.3.0: God", "/home/app/.nvm/versions/node/v18.17.0/bin/node", "PM2 v5.3.0: God Daemon (/home/app/.pm2)", "/system.slice/pm2-app.service")),
        ("pm2", Normal, Seen(1000, "node", "/usr/bin/node", "node /srv/shop/server.js", "/limited.slice/pm2-app.service")),
        ("node", Normal, Seen(1000, "node", "/usr/bin/node", "/usr/bin/node /srv/shop/server.js", "/system.slice/shop.service")),
        ("node", Normal, Seen(999, "node", "/usr/bin/node-20", "/usr/bin/node-20 /srv/shop/server.js", "/system.slice/shop.service")),
    ];
    for (rule, class, seen) in &cases {
        assert_eq!(judge(seen), (*class, String::from(*rule)), "{} in {}", seen.2, seen.4);
    }
}

#[test]
fn look_alikes_that_a_user_starts_are_expendable() {
    #[rustfmt::skip]
    let programs = [
        ("mysqld", "/usr/sbin/mysqld", "mysql.service"),
        ("mysqld", "/home/app/usr/sbin/mysqld", "mysqld.service"),
        ("mariadbd", "/usr/sbin/mariadbd", "mariadb.service"),
        ("postgres", "/usr/lib/postgresql/15/bin/postgres", "postgresql@15-main.service"),
        ("php-fpm8.2", "/usr/sbin/php-fpm8.2", "php8.2-fpm.service"),
        ("php-fpm", "/opt/remi/php82/root/usr/sbin/php-fpm", "php82-php-fpm.service"),
        ("nginx", "/usr/sbin/nginx", "nginx.service"),
        ("httpd", "/usr/sbin/httpd", "httpd.service"),
        ("redis-server", "/usr/bin/redis-check-rdb", "redis-server.service"),
        ("valkey-server", "/usr/bin/valkey-server", "valkey.service"),
        ("memcached", "/usr/bin/memcached", "memcached.service"),
        ("varnishd", "/usr/sbin/varnishd", "varnish.service"),
        ("beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "rabbitmq-server.service"),
        ("java", "/usr/share/elasticsearch/jdk/bin/java", "elasticsearch.service"),
        ("java", "/usr/share/opensearch/jdk/bin/java", "opensearch.service"),
        ("sshd", "/usr/sbin/sshd", "ssh.service"),
        ("cron", "/usr/sbin/cron", "cron.service"),
        ("master", "/usr/lib/postfix/sbin/master", "postfix.service"),
        ("supervisord", "/usr/bin/python3.11", "supervisor.service"),
        ("node", "/usr/bin/node", "shop.service"),
        ("PM2 v5.3.0: God", "/usr/bin/node", "pm2-app.service"),
    ];
    for (comm, exe, unit) in programs {
        let mine = alloc::format!("{MANAGER}{unit}");
        let job = alloc::format!("{SYSTEM}cron.service");
        for cgroup in [SESSION, &mine, &job] {
            let (class, rule) = judge(&Seen(1000, comm, exe, comm, leak(cgroup)));
            assert_eq!(class, Class::Expendable, "{comm}, {exe} in {cgroup} by {rule}");
        }
    }
}

#[test]
fn a_units_name_does_not_make_another_program_the_server() {
    #[rustfmt::skip]
    let cases = [
        (Class::Expendable, Seen(33, "sh", "/usr/bin/dash", "php-fpm: pool www", "/system.slice/php8.2-fpm.service")),
        (Class::Expendable, Seen(1000, "mysqld", "/home/app/mysqld", "/usr/sbin/mysqld", "/limited.slice/ea-php82-php-fpm.service")),
        (Class::Expendable, Seen(33, "convert", "/usr/bin/convert", "convert a b", "/system.slice/apache2.service")),
        (Class::Expendable, Seen(1000, "bash", "/usr/bin/bash", "-bash", "/system.slice/ssh.service")),
        (Class::Expendable, Seen(1000, "sshd", "/usr/sbin/sshd", "sshd: app@pts/0", "/system.slice/ssh.service")),
        (Class::Expendable, Seen(1000, "cron", "/usr/sbin/cron", "/usr/sbin/CRON -f", "/system.slice/cron.service")),
        (Class::Expendable, Seen(1000, "node", "/usr/bin/node", "node import.js", "/limited.slice/cron.service")),
        (Class::Normal, Seen(1000, "php", "/usr/bin/php8.2", "php bin/magento queue:consumers:start", "/system.slice/supervisor.service")),
        (Class::Normal, Seen(1000, "sh", "/usr/bin/dash", "sh -c vacation", "/system.slice/postfix.service")),
    ];
    for (class, seen) in &cases {
        assert_eq!(judge(seen).0, *class, "{} in {}", seen.2, seen.4);
    }
}

fn leak(text: &str) -> &'static str {
    alloc::boxed::Box::leak(text.into())
}
