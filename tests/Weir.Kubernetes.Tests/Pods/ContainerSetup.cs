using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using k8s.Models;
using Weir.Kubernetes.Tests.Control;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>What a container needs to run: its environment, and a script that gives it a root of its own.</summary>
internal static partial class ContainerSetup
{
    private const long DefaultUser = 1654;

    /// <summary>The environment; null while something is missing that it needs.</summary>
    public static async Task<Dictionary<string, string>?> EnvironmentAsync(
        ApiClient api, V1Pod pod, V1Container container, string address, int apiPort, CancellationToken stop)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOME"] = "/tmp",
            ["DOTNET_ROOT"] = "/dotnet",
            ["HOSTNAME"] = pod.Metadata.Name,
            ["KUBERNETES_SERVICE_HOST"] = "kubernetes.default.svc",
            ["KUBERNETES_SERVICE_PORT"] = apiPort.ToString(CultureInfo.InvariantCulture),
        };
        foreach (var variable in container.Env ?? [])
        {
            if (variable.ValueFrom is { } source)
            {
                if (await FromAsync(api, pod, source, address, stop) is not { } value)
                {
                    return null;
                }

                environment[variable.Name] = value;
            }
            else
            {
                environment[variable.Name] = Expand(variable.Value ?? string.Empty, environment);
            }
        }

        return environment;
    }

    /// <summary>Replaces $(NAME); $$(NAME) stands for $(NAME).</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> environment) =>
        Reference().Replace(text, match => match.Groups[1].Success ? match.Value[1..]
            : environment.TryGetValue(match.Groups[2].Value, out var value) ? value : match.Value);

    public static string[] Command(V1Container container, Image image, IReadOnlyDictionary<string, string> environment) =>
    [
        .. (container.Command is { Count: > 0 } command ? command : [$"/app/{image.Program}"])
            .Concat(container.Args ?? []).Select(part => Expand(part, environment)),
    ];

    public static long UserOf(V1Pod pod, V1Container container) =>
        container.SecurityContext?.RunAsUser ?? pod.Spec.SecurityContext?.RunAsUser ?? DefaultUser;

    /// <summary>
    /// A script that makes a root as that of an image without a distribution in it: the programs of this machine, read-only, /app and
    /// /dotnet, the pod's volumes, and names of its own. It ends as the command, without any right that a restricted pod has not.
    /// </summary>
    public static string Script(
        V1Pod pod, V1Container container, Image image, string folder, string hosts, IReadOnlyDictionary<string, string> volumes,
        string[] command)
    {
        var user = UserOf(pod, container);
        var group = container.SecurityContext?.RunAsGroup ?? pod.Spec.SecurityContext?.RunAsGroup ?? user;
        var owner = pod.Spec.SecurityContext?.FsGroup ?? group;
        var root = Quote(Path.Combine(folder, "root"));
        var script = new StringBuilder();
        script.Append(CultureInfo.InvariantCulture, $"""
            set -e
            root={root}
            mkdir -p $root
            mount --make-rprivate /
            mount -t tmpfs -o mode=755 none $root
            for name in bin sbin lib lib32 lib64 libx32 usr; do
              if [ -L /$name ]; then cp -P /$name $root/
              elif [ -d /$name ]; then mkdir $root/$name; mount --bind -o ro /$name $root/$name; fi
            done
            mkdir $root/etc $root/proc $root/sys $root/dev $root/app $root/dotnet $root/var
            mkdir -m 1777 $root/tmp
            for name in passwd group ld.so.cache ld.so.conf ld.so.conf.d alternatives host.conf localtime; do
              [ ! -e /etc/$name ] || cp -a /etc/$name $root/etc/
            done
            echo 'hosts: files' >$root/etc/nsswitch.conf
            touch $root/etc/hosts
            mount --bind {Quote(hosts)} $root/etc/hosts
            mount -t proc proc $root/proc
            mount --rbind /sys $root/sys
            mount --rbind /dev $root/dev
            mount --bind {Quote(image.Folder)} $root/app
            mount -o remount,bind,ro $root/app
            mount --bind {Quote(Images.DotNet)} $root/dotnet
            mount -o remount,bind,ro $root/dotnet

            """);
        foreach (var mount in container.VolumeMounts ?? [])
        {
            var source = Quote(Path.Combine(volumes[mount.Name], mount.SubPath ?? string.Empty));
            var target = $"$root{Quote(mount.MountPath)}";
            script.Append(CultureInfo.InvariantCulture, $"mkdir -p {target}\n");
            if (mount.ReadOnlyProperty != true)
            {
                script.Append(CultureInfo.InvariantCulture, $"chown {user}:{owner} {source}\nchmod g+rwx {source}\n");
            }

            script.Append(CultureInfo.InvariantCulture, $"mount --bind {source} {target}\n");
            if (mount.ReadOnlyProperty == true)
            {
                script.Append(CultureInfo.InvariantCulture, $"mount -o remount,bind,ro {target}\n");
            }
        }

        if (container.SecurityContext?.ReadOnlyRootFilesystem == true)
        {
            script.Append("mount -o remount,bind,ro $root\n");
        }

        // What it leaves behind it lets go: this machine's file systems, which others may want to unmount.
        script.Append(CultureInfo.InvariantCulture, $"""
            cd $root
            pivot_root . .
            umount --lazy .
            cd /
            exec setpriv --reuid {user} --regid {group} --groups {owner} --no-new-privs --bounding-set=-all \
              --inh-caps=-all sh -c 'cd /app; exec "$@"' sh {string.Join(' ', command.Select(Quote))}

            """);
        return script.ToString();
    }

    public static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static async Task<string?> FromAsync(
        ApiClient api, V1Pod pod, V1EnvVarSource source, string address, CancellationToken stop)
    {
        if (source.FieldRef is { } field)
        {
            return PodVolumes.Field(pod, address, field.FieldPath);
        }

        var (kind, name, key, optional) = source switch
        {
            { SecretKeyRef: { } secret } => ("secrets", secret.Name, secret.Key, secret.Optional),
            { ConfigMapKeyRef: { } map } => ("configmaps", map.Name, map.Key, map.Optional),
            _ => throw new NotSupportedException("a variable from something else"),
        };
        JsonNode? found = await api.FindAsync($"/api/v1/namespaces/{pod.Metadata.NamespaceProperty}/{kind}/{name}", stop);
        if ((string?)found?["data"]?[key] is not { } value)
        {
            return optional == true ? string.Empty : null;
        }

        return kind == "secrets" ? Encoding.UTF8.GetString(Convert.FromBase64String(value)) : value;
    }

    [GeneratedRegex(@"(\$)?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")]
    private static partial Regex Reference();
}
