namespace Weir.Operator.Hosting;

/// <summary>The operator's settings, from the environment.</summary>
internal sealed record OperatorOptions
{
    /// <summary>WEIR_OPERATOR_NAMESPACES: namespaces that it looks at, by commas; empty, the default, for all.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>POD_NAME: who it is. Default: the machine's name.</summary>
    public string PodName { get; init; } = Environment.MachineName;

    /// <summary>POD_NAMESPACE: where its lease is. Default: default.</summary>
    public string PodNamespace { get; init; } = "default";

    /// <summary>WEIR_BROKER_IMAGE: image of brokers whose specification names none. Default: weir.</summary>
    public string BrokerImage { get; init; } = "weir:latest";

    /// <summary>WEIR_OPERATOR_LEADER_ELECTION: whether one instance of several leads. Default: true.</summary>
    public bool LeaderElection { get; init; } = true;

    /// <summary>WEIR_OPERATOR_LEASE: name of the lease. Default: weir-operator.</summary>
    public string Lease { get; init; } = "weir-operator";

    /// <summary>WEIR_OPERATOR_HTTP_PORT: port of /livez, /readyz and /metrics. Default: 8080; 0 takes a free one.</summary>
    public int HttpPort { get; init; } = 8080;

    /// <summary>Reads them.</summary>
    /// <param name="environment">The value of a variable, or null.</param>
    /// <exception cref="FormatException">One cannot be read; the message names it.</exception>
    public static OperatorOptions Read(Func<string, string?> environment)
    {
        var standard = new OperatorOptions();
        return standard with
        {
            Namespaces =
            [
                .. (environment("WEIR_OPERATOR_NAMESPACES") ?? string.Empty)
                    .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                    .Distinct(StringComparer.Ordinal),
            ],
            PodName = Text("POD_NAME", standard.PodName),
            PodNamespace = Text("POD_NAMESPACE", standard.PodNamespace),
            BrokerImage = Text("WEIR_BROKER_IMAGE", standard.BrokerImage),
            LeaderElection = Text("WEIR_OPERATOR_LEADER_ELECTION", "true").ToLowerInvariant() switch
            {
                "true" or "1" => true,
                "false" or "0" => false,
                var other => throw new FormatException($"WEIR_OPERATOR_LEADER_ELECTION: '{other}' is neither true nor false"),
            },
            Lease = Text("WEIR_OPERATOR_LEASE", standard.Lease),
            HttpPort = ushort.TryParse(Text("WEIR_OPERATOR_HTTP_PORT", "8080"), out var port)
                ? port
                : throw new FormatException("WEIR_OPERATOR_HTTP_PORT: it is no port"),
        };

        string Text(string name, string otherwise) => environment(name) is { Length: > 0 } value ? value : otherwise;
    }
}
