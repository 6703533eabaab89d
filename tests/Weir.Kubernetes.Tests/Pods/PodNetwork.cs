using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Weir.Cluster.Tests.Harness;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>
/// Addresses of pods, each in a network namespace of its own, and their names: a hosts file that follows the Endpoints, as DNS
/// does. Thread-safe.
/// </summary>
internal sealed class PodNetwork : IDisposable
{
    private const int Slots = 30;
    private readonly NetworkNamespaces _namespaces;
    private readonly ConcurrentQueue<int> _free = new(Enumerable.Range(1, Slots));
    private readonly SemaphoreSlim _available = new(Slots);
    private readonly Dictionary<string, List<string>> _names = [];
    private readonly string _base;

    public PodNetwork(Lease lease)
    {
        _namespaces = new NetworkNamespaces(lease, Slots);
        HostsFile = Path.Combine(lease.Directory, "hosts");
        _base = $"127.0.0.1 localhost\n{Gateway} kubernetes.default.svc\n";
        File.WriteAllText(HostsFile, _base);
    }

    public string HostsFile { get; }

    /// <summary>The tests' own address, as pods see it.</summary>
    public string Gateway => _namespaces.AddressOf(NetworkNamespaces.Client);

    /// <summary>To make faults between pods, which are nodes by their slots.</summary>
    public NetworkNamespaces Faults => _namespaces;

    public string AddressOf(int slot) => _namespaces.AddressOf(slot);

    public string[] CommandOn(int slot) => _namespaces.CommandOn(slot);

    /// <summary>Takes a slot, the one that was free for the longest time.</summary>
    public async Task<int> TakeAsync(CancellationToken stop)
    {
        await _available.WaitAsync(stop);
        return _free.TryDequeue(out var slot) ? slot : throw new InvalidOperationException("no slot is free");
    }

    public void Return(int slot)
    {
        _free.Enqueue(slot);
        _available.Release();
    }

    /// <summary>Takes over the addresses of a Service.</summary>
    public void Update(JsonNode endpoints, bool isGone)
    {
        var (name, ns) = ((string)endpoints["metadata"]!["name"]!, (string)endpoints["metadata"]!["namespace"]!);
        var service = $"{name}.{ns}.svc";
        var lines = new List<string>();
        foreach (var subset in endpoints["subsets"]?.AsArray() ?? [])
        {
            foreach (var address in subset!["addresses"]?.AsArray() ?? [])
            {
                var ip = (string)address!["ip"]!;
                lines.Add($"{ip} {service} {service}.cluster.local {name}.{ns}");
                if ((string?)address["hostname"] is { } host)
                {
                    lines.Add($"{ip} {host}.{service} {host}.{service}.cluster.local {host}.{name}.{ns}");
                }
            }
        }

        lock (_names)
        {
            // Outside of these tests nobody writes Endpoints of the API server itself.
            if (service == "kubernetes.default.svc")
            {
                return;
            }

            _names.Remove(service);
            if (!isGone)
            {
                _names[service] = lines;
            }

            Write();
        }
    }

    public void Dispose()
    {
        _namespaces.Dispose();
        _available.Dispose();
    }

    /// <summary>In place, as the file is mounted, and at once, as it is read meanwhile.</summary>
    private void Write()
    {
        var text = Encoding.ASCII.GetBytes(_base + string.Join('\n', _names.Values.SelectMany(static lines => lines)) + "\n");
        using var file = new FileStream(HostsFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var padded = new byte[Math.Max(text.Length, file.Length)];
        padded.AsSpan().Fill((byte)'\n');
        text.CopyTo(padded, 0);
        file.Write(padded);
    }
}
