using System.Globalization;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>The sample that keeps results and offsets in a database of its own, killed at random points.</summary>
public sealed class ExactlyOnceScenarios
{
    private const int Payments = 4000;
    private const int Accounts = 20;

    private static readonly string Sample = Path.GetFullPath(Path.Combine(
        Path.GetDirectoryName(WeirProcess.Executable)!, "..", "..", "..", "..", "..", "samples", "ExactlyOnceSqlite", "bin",
        Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(WeirProcess.Executable)!)!), "net10.0", "ExactlyOnceSqlite"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Database_counts_every_payment_once_when_its_members_are_killed()
    {
        var random = Scenario.NewRandom();
        var folder = Directory.CreateTempSubdirectory("weir-exactly-once-").FullName;
        var database = Path.Combine(folder, "ledger.db");
        await using var cluster = await TestCluster.StartAsync(new TestClusterOptions { Brokers = 1 });
        await using var client = await cluster.ConnectAsync();
        await client.Admin.CreateTopicAsync("payments", new TopicSpec { Partitions = 6 }, Token);
        await client.Admin.CreateGroupAsync("ledger", Quick(), Token);
        var expected = await PublishAsync(client, random);
        var members = Enumerable.Range(0, 3).Select(_ => Start(cluster, database)).ToArray();
        try
        {
            for (var kill = 0; kill < 12; kill++)
            {
                var progress = Math.Min(Payments, await BookedAsync(database) + random.Next(300));
                await cluster.EventuallyAsync($"before kill {kill}", async _ => await BookedAsync(database) >= progress);
                var victim = random.Next(members.Length);
                members[victim].Dispose();
                members[victim] = Start(cluster, database);
            }

            await cluster.EventuallyAsync(
                "every payment is booked", async _ => await BookedAsync(database) >= Payments, TimeSpan.FromSeconds(60));
        }
        finally
        {
            foreach (var member in members)
            {
                member.Dispose();
            }
        }

        Assert.Equal(expected, await ReportAsync(database));
        Directory.Delete(folder, recursive: true);
    }

    private static GroupSpec Quick() => new()
    {
        Mode = GroupMode.Stream,
        Topics = ["payments"],
        Configs = new Dictionary<string, string?> { ["session.timeout.ms"] = "1000", ["heartbeat.interval.ms"] = "200" },
    };

    private static async Task<List<string>> PublishAsync(WeirClient client, Testing.Support.SeededRandom random)
    {
        var balances = new SortedDictionary<string, (long Cents, int Payments)>(StringComparer.Ordinal);
        await using var producer = client.CreateProducer("payments", Serializers.Utf8, Serializers.Utf8);
        for (var i = 0; i < Payments; i++)
        {
            var (account, cents) = ($"account-{random.Next(Accounts):00}", 1L << (i % 40));
            var (sum, count) = balances.GetValueOrDefault(account);
            balances[account] = (sum + cents, count + 1);
            await producer.PostAsync(account, cents.ToString(CultureInfo.InvariantCulture), ct: Token);
        }

        await producer.FlushAsync(Token);
        return [.. balances.Select(static one => $"{one.Key} {one.Value.Cents} {one.Value.Payments}")];
    }

    private static async Task<int> BookedAsync(string database) =>
        (await ReportAsync(database)).Sum(static line => int.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture));

    private static async Task<List<string>> ReportAsync(string database)
    {
        using var process = WeirProcess.StartProgram(Sample, "report", database);
        var outcome = await process.WaitAsync();
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return [.. outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    private static WeirProcess Start(TestCluster cluster, string database) =>
        WeirProcess.StartProgram(Sample, "run", cluster.Servers, "ledger", database);
}
