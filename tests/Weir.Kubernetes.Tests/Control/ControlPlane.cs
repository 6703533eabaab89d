using System.Globalization;
using System.Text.Json.Nodes;
using Weir.Cluster.Tests;
using Weir.Cluster.Tests.Harness;
using Weir.Kubernetes.Tests.Control;
using Xunit;

[assembly: AssemblyFixture(typeof(ControlPlane))]

namespace Weir.Kubernetes.Tests.Control;

/// <summary>
/// etcd, kube-apiserver and kube-controller-manager on loopback, one of each for all tests, which have a namespace each. Without
/// the programs there is none, and <see cref="Require"/> says so.
/// </summary>
public sealed class ControlPlane : IAsyncLifetime
{
    // No scheduler, no nodes that could be lost, no volumes: PodRunner stands for those.
    private const string Controllers =
        "garbagecollector,namespace,statefulset,replicaset,deployment,disruption,endpoint,endpointslice,job,serviceaccount,"
        + "serviceaccount-token,root-ca-cert-publisher,pvc-protection,clusterrole-aggregation";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly List<ServerProcess> _servers = [];
    private Lease? _lease;
    private Certificates? _certificates;
    private ApiClient? _api;
    private int _namespaces;

    /// <summary>Where the API server listens.</summary>
    public int Port { get; private set; }

    public ApiClient Api => _api ?? throw new InvalidOperationException("there is no API server");

    public string KubeConfig => Path.Combine(Folder, "kubeconfig");

    /// <summary>A folder for whatever belongs to the control plane.</summary>
    public string Folder => _lease?.Directory ?? throw new InvalidOperationException("there is no API server");

    /// <summary>Minor version of the API server: 20 of 1.20.</summary>
    public int Minor { get; private set; }

    /// <summary>A server before 1.25 does not know rules in CEL: it drops them, and helm would not send it what it does not know.</summary>
    public string[] HelmArguments => Minor < 25 ? ["--disable-openapi-validation"] : [];

    private string AuditLog => Path.Combine(Folder, "audit.log");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (new[] { "etcd", "kube-apiserver", "kube-controller-manager" }.Any(static name => Binaries.Find(name) is null))
        {
            return;
        }

        _lease = Lease.Take();
        _certificates = new Certificates(Path.Combine(Folder, "certificates"));
        Port = FreePort.Find();
        WriteKubeConfig();
        StartServers();
        _api = new ApiClient(new Uri($"https://127.0.0.1:{Port}"), _certificates);
        await Eventually.HoldsAsync(
            "the API server is healthy", async ct => await IsHealthyAsync(ct), Patience,
            () => string.Join("\n\n", _servers.Select(static server => server.Tail)));
        var version = await Api.GetAsync("/version", Token);
        Minor = int.Parse(((string)version["minor"]!).TrimEnd('+'), NumberStyles.None, CultureInfo.InvariantCulture);
        StartControllers();
    }

    /// <summary>Skips the test on a machine without the programs, loudly; fails it in CI.</summary>
    public void Require()
    {
        Binaries.Require();
        Assert.NotNull(_api);
    }

    /// <summary>Skips what an older server does not know.</summary>
    public void RequireMinor(int minor, string what) =>
        Assert.SkipWhen(Minor < minor, $"the API server is 1.{Minor}; {what} needs 1.{minor}");

    /// <summary>A new namespace, whose service account is there.</summary>
    public async Task<string> CreateNamespaceAsync()
    {
        var name = $"test-{Interlocked.Increment(ref _namespaces)}";
        await Api.PostAsync(
            "/api/v1/namespaces",
            new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, Token);
        await Eventually.HoldsAsync(
            $"{name} has its service account",
            async ct => await Api.FindAsync($"/api/v1/namespaces/{name}/serviceaccounts/default", ct) is not null, Patience);
        return name;
    }

    /// <summary>What the service accounts of a namespace have written so far, but for leases: verb and path of each request.</summary>
    public IReadOnlyList<string> WritesOf(string ns)
    {
        using var reader = new StreamReader(new FileStream(AuditLog, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var writes = new List<string>();
        while (reader.ReadLine() is { } line)
        {
            var entry = JsonNode.Parse(line)!;
            var verb = (string)entry["verb"]!;
            if (((string)entry["user"]!["username"]!).StartsWith($"system:serviceaccount:{ns}:", StringComparison.Ordinal)
                && verb is not ("get" or "list" or "watch") && (string?)entry["objectRef"]?["resource"] != "leases")
            {
                writes.Add($"{verb} {entry["requestURI"]}");
            }
        }

        return writes;
    }

    public ValueTask DisposeAsync()
    {
        _api?.Dispose();
        foreach (var server in Enumerable.Reverse(_servers))
        {
            server.Dispose();
        }

        _certificates?.Dispose();
        _lease?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Start(string name, params string[] arguments) =>
        _servers.Add(new ServerProcess(Path.Combine(Folder, $"{name}.log"), Binaries.PathOf(name), arguments));

    private void StartServers()
    {
        var (clients, peers) = (FreePort.Find(), FreePort.Find());
        Start(
            "etcd", "--data-dir", Path.Combine(Folder, "etcd"), "--listen-client-urls", $"http://127.0.0.1:{clients}",
            "--advertise-client-urls", $"http://127.0.0.1:{clients}", "--listen-peer-urls", $"http://127.0.0.1:{peers}",
            "--initial-advertise-peer-urls", $"http://127.0.0.1:{peers}", "--initial-cluster", $"default=http://127.0.0.1:{peers}");
        Start(
            "kube-apiserver", $"--etcd-servers=http://127.0.0.1:{clients}", $"--cert-dir={Path.Combine(Folder, "apiserver")}",
            $"--secure-port={Port}", "--bind-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged=true", "--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes.default.svc",
            $"--service-account-key-file={_certificates!.SigningKey}",
            $"--service-account-signing-key-file={_certificates.SigningKey}", $"--client-ca-file={_certificates.Authority}",
            $"--tls-cert-file={_certificates.CertificateOf("server")}",
            $"--tls-private-key-file={_certificates.KeyOf("server")}", $"--audit-policy-file={WriteAuditPolicy()}",
            $"--audit-log-path={AuditLog}");
    }

    /// <summary>What service accounts ask for is kept, by its metadata.</summary>
    private string WriteAuditPolicy()
    {
        var file = Path.Combine(Folder, "audit-policy");
        File.WriteAllText(file, """
            apiVersion: audit.k8s.io/v1
            kind: Policy
            omitStages: [RequestReceived, ResponseStarted]
            rules:
            - level: Metadata
              userGroups: [system:serviceaccounts]
            - level: None
            """);
        return file;
    }

    private void StartControllers() => Start(
        "kube-controller-manager", $"--kubeconfig={KubeConfig}", $"--service-account-private-key-file={_certificates!.SigningKey}",
        $"--root-ca-file={_certificates.Authority}", $"--controllers={Controllers}", "--leader-elect=false",
        "--concurrent-statefulset-syncs=10", $"--cert-dir={Path.Combine(Folder, "controllers")}", "--secure-port=0", "--port=0",
        "--kube-api-qps=200", "--kube-api-burst=400");

    private void WriteKubeConfig()
    {
        var text = $"""
        apiVersion: v1
        kind: Config
        current-context: tests
        clusters:
        - name: tests
          cluster:
            server: https://127.0.0.1:{Port}
            certificate-authority: {_certificates!.Authority}
        users:
        - name: admin
          user:
            client-certificate: {_certificates.CertificateOf("admin")}
            client-key: {_certificates.KeyOf("admin")}
        contexts:
        - name: tests
          context:
            cluster: tests
            user: admin
        """;
        File.WriteAllText(KubeConfig, text);
        Machine.Run("chmod", "600", KubeConfig);
    }

    private async Task<bool> IsHealthyAsync(CancellationToken ct)
    {
        if (_servers.Any(static server => server.HasExited))
        {
            throw new InvalidOperationException(string.Join("\n\n", _servers.Select(static server => server.Tail)));
        }

        try
        {
            return await Api.GetTextAsync("/readyz", ct) == "ok";
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
