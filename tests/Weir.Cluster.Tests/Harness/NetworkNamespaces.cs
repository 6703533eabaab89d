using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Cluster.Tests.Harness;

/// <summary>
/// A network of this machine alone: every node has a namespace of its own, and one more namespace routes between them and
/// the test's, which is node 0. All faults are rules of that router, so a packet is lost on the way, as on a real network,
/// and neither side is told. Needs root. Not thread-safe.
/// </summary>
public sealed class NetworkNamespaces : IDisposable
{
    /// <summary>The test's own namespace, where its clients are.</summary>
    public const int Client = 0;

    private const string Table = "ip weir";
    private readonly Lease _lease;
    private readonly int _nodes;
    private readonly SortedDictionary<(int From, int To), int> _loss = [];

    /// <summary>Creates the network of nodes 1 to <paramref name="nodes"/>, without faults.</summary>
    public NetworkNamespaces(Lease lease, int nodes)
    {
        Machine.RequireRoot();
        Machine.RequireTool("ip");
        Machine.RequireTool("nft");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes, 62);
        _lease = lease;
        _nodes = nodes;
        Machine.Run("ip", "netns", "add", Router);
        OnRouter("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
        Machine.Run("ip", "link", "add", RootDevice, "type", "veth", "peer", "name", "n0", "netns", Router);
        ConnectRouter(Client);
        Machine.Run("ip", "addr", "add", $"{AddressOf(Client)}/30", "dev", RootDevice);
        Machine.Run("ip", "link", "set", RootDevice, "up");
        Machine.Run("ip", "route", "add", $"{Subnet}.0/24", "via", RouterAddressOf(Client));
        for (var node = 1; node <= nodes; node++)
        {
            ConnectNode(node);
        }

        Apply();
    }

    private string Router => _lease.NetworkPrefix + "router";

    private string RootDevice => _lease.NetworkPrefix + "root";

    private string Subnet => $"10.213.{_lease.Number}";

    /// <summary>The address of a node, the same for all others.</summary>
    public string AddressOf(int node) => $"{Subnet}.{(node * 4) + 2}";

    /// <summary>What is put before a command to run it on a node. The process keeps its id.</summary>
    public string[] CommandOn(int node) => ["nsenter", $"--net=/run/netns/{NamespaceOf(node)}", "--"];

    /// <summary>Neither hears the other.</summary>
    public void Partition(int a, int b) => Set([(a, b), (b, a)], 100);

    /// <summary>What one sends does not arrive at the other; the way back is open.</summary>
    public void PartitionOneWay(int from, int to) => Set([(from, to)], 100);

    /// <summary>Cuts a node off from the other nodes, and from the test's clients if so wished.</summary>
    public void Isolate(int node, bool alsoFromClients = true) =>
        Set(
            Enumerable.Range(alsoFromClients ? Client : 1, _nodes + (alsoFromClients ? 1 : 0)).Where(other => other != node)
                .SelectMany(other => ((int, int)[])[(node, other), (other, node)]),
            100);

    /// <summary>Loses some of the packets of one direction; 0 mends it.</summary>
    public void Loss(int from, int to, int percent) => Set([(from, to)], percent);

    /// <summary>Loses some of the packets of every direction, those of the test's clients too.</summary>
    public void LossEverywhere(int percent) =>
        Set(
            from a in Enumerable.Range(0, _nodes + 1)
            from b in Enumerable.Range(0, _nodes + 1)
            where a != b
            select (a, b),
            percent);

    /// <summary>Ends every fault.</summary>
    public void Heal()
    {
        _loss.Clear();
        Apply();
    }

    /// <summary>How many packets of a direction the present fault has lost; a change of any fault starts the count anew.</summary>
    public long Lost(int from, int to)
    {
        var rules = OnRouter("nft", "--json", "list", "table", "ip", "weir");
        using var document = JsonDocument.Parse(rules);
        foreach (var entry in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (entry.TryGetProperty("rule", out var rule) && rule.TryGetProperty("comment", out var comment)
                && comment.GetString() == CommentOf(from, to))
            {
                return rule.GetProperty("expr").EnumerateArray()
                    .First(static expression => expression.TryGetProperty("counter", out _))
                    .GetProperty("counter").GetProperty("packets").GetInt64();
            }
        }

        return 0;
    }

    public void Dispose() => Remove(_lease.NetworkPrefix);

    /// <summary>Removes the namespaces and devices of a prefix.</summary>
    internal static void Remove(string prefix)
    {
        // Its peer is removed with its namespace, but the kernel takes its time for that.
        var device = prefix + "root";
        if (Directory.Exists($"/sys/class/net/{device}"))
        {
            Machine.Run("ip", "link", "del", device);
        }

        if (Directory.Exists("/run/netns"))
        {
            foreach (var name in Directory.GetFiles("/run/netns", prefix + "*"))
            {
                Machine.Run("ip", "netns", "del", Path.GetFileName(name));
            }
        }
    }

    private static string CommentOf(int from, int to) => string.Create(CultureInfo.InvariantCulture, $"{from}>{to}");

    private string NamespaceOf(int node) => $"{_lease.NetworkPrefix}{node}";

    private string RouterAddressOf(int node) => $"{Subnet}.{(node * 4) + 1}";

    private void ConnectNode(int node)
    {
        var name = NamespaceOf(node);
        Machine.Run("ip", "netns", "add", name);
        Machine.Run("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", $"n{node}", "netns", Router);
        ConnectRouter(node);
        Machine.Run("ip", "-n", name, "addr", "add", $"{AddressOf(node)}/30", "dev", "eth0");
        Machine.Run("ip", "-n", name, "link", "set", "lo", "up");
        Machine.Run("ip", "-n", name, "link", "set", "eth0", "up");
        Machine.Run("ip", "-n", name, "route", "add", "default", "via", RouterAddressOf(node));
    }

    private void ConnectRouter(int node)
    {
        Machine.Run("ip", "-n", Router, "addr", "add", $"{RouterAddressOf(node)}/30", "dev", $"n{node}");
        Machine.Run("ip", "-n", Router, "link", "set", $"n{node}", "up");
    }

    private void Set(IEnumerable<(int From, int To)> directions, int percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        foreach (var direction in directions)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Max(direction.From, direction.To), _nodes);
            _loss[direction] = percent;
        }

        Apply();
    }

    private string OnRouter(params string[] command) =>
        Machine.Run("nsenter", [$"--net=/run/netns/{Router}", "--", .. command]);

    /// <summary>Replaces all rules at once: there is no moment between two states of the network.</summary>
    private void Apply()
    {
        var rules = new StringBuilder();
        rules.Append("table ").Append(Table).Append("\ndelete table ").Append(Table).Append("\ntable ").Append(Table)
            .Append(" {\nchain forward {\ntype filter hook forward priority 0\n");
        foreach (var ((from, to), percent) in _loss.Where(static pair => pair.Value > 0))
        {
            rules.Append("ip saddr ").Append(AddressOf(from)).Append(" ip daddr ").Append(AddressOf(to))
                .Append(percent == 100 ? "" : string.Create(CultureInfo.InvariantCulture, $" numgen random mod 100 < {percent}"))
                .Append(" counter drop comment \"").Append(CommentOf(from, to)).Append("\"\n");
        }

        rules.Append("}\n}\n");
        var file = Path.Combine(_lease.Directory, "rules");
        File.WriteAllText(file, rules.ToString());
        OnRouter("nft", "-f", file);
    }
}
