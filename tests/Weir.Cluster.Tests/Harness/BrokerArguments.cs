namespace Weir.Cluster.Tests.Harness;

/// <summary>The command line of a broker of a test cluster: the one place that knows it.</summary>
internal static class BrokerArguments
{
    public static string[] Of(TestCluster cluster, BrokerNode broker)
    {
        var options = cluster.Options;
        List<string> arguments =
            ["broker", "--data", broker.DataDirectory, "--listen", broker.ListenAddress, "--http", "none"];
        if (!options.AreIndependent)
        {
            arguments.AddRange("--node-id", $"{broker.Id}", "--cluster-peers", Peers(cluster));
        }

        if (options.Rack(broker.Id) is { } rack)
        {
            arguments.AddRange("--rack", rack);
        }

        Set("MinFreeBytes", "0");
        if (options.OwnNetworks)
        {
            Set("UnsafeAllowAnonymous", "true");
        }

        if (options.BehindProxies)
        {
            Set("Advertise", broker.Address);
        }

        foreach (var (name, value) in options.Settings)
        {
            Set(name, value);
        }

        return [.. arguments];

        void Set(string name, string value) => arguments.AddRange("--set", $"{name}={value}");
    }

    private static string Peers(TestCluster cluster) =>
        string.Join(',', cluster.Brokers.Select(static broker => $"{broker.Id}@{broker.Address}"));
}
