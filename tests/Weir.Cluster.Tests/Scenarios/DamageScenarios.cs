using Weir.Cluster.Tests.Harness;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Files that are damaged, cut, gone or of the past on one broker of three: rows 6, 9 and 10 of the fault table.</summary>
public sealed class DamageScenarios
{
    private static readonly TestClusterOptions Scrubbing = new()
    {
        Settings = new Dictionary<string, string> { ["ScrubBytesPerSecond"] = $"{64 * 1024 * 1024}" },
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Damage_to_the_log_of_a_stopped_leader_is_repaired_from_the_others(bool isTruncated)
    {
        await using var scenario = await Scenario.StartAsync();
        await scenario.Workload.ProgressAsync("data to damage", 3000);
        var leader = await scenario.LeaderAsync();
        leader.Kill();
        foreach (var log in LogsOf(leader))
        {
            Damage(log, 5000, isTruncated);
        }

        leader.Start();
        await scenario.InSyncAsync();
        await AnswersForAllAsync(scenario, leader);
        await scenario.EndAsync();
    }

    /// <summary>It must be found by reading: nothing was restarted, and no reader need come by.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bit_that_flips_in_a_closed_segment_is_never_served_and_is_repaired(bool isLeader)
    {
        await using var scenario = await Scenario.StartAsync(Scrubbing, static load => load with { ValueBytes = 1000 });
        await scenario.Workload.ProgressAsync("closed segments", 2000);
        var leader = await scenario.LeaderAsync();
        var victim = isLeader ? leader : scenario.Except(leader)[0];
        var damaged = LogsOf(victim).Where(static log => log.EndsWith("/00000000000000000000.log", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, damaged.Count);
        foreach (var log in damaged)
        {
            Damage(log, 20_000, isTruncated: false);
        }

        await scenario.Workload.ReadAsync();
        await scenario.Cluster.EventuallyAsync(
            "all that is damaged is repaired", () => victim.Output.Split(" is repaired from ").Length == damaged.Count + 1);
        await scenario.InSyncAsync();
        await AnswersForAllAsync(scenario, victim);
        await scenario.EndAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Damage_to_the_metadata_of_one_broker_deletes_nothing_and_is_repaired(bool isTruncated)
    {
        await using var scenario = await Scenario.StartAsync();
        var victim = await scenario.ControllerAsync();
        victim.Kill();
        var logs = Directory.GetFiles(Path.Combine(victim.DataDirectory, "metadata"), "*.log", SearchOption.AllDirectories);
        Assert.NotEmpty(logs);
        foreach (var log in logs)
        {
            Damage(log, 700, isTruncated);
        }

        await scenario.Workload.ProgressAsync("without the broker", 500);
        victim.Start();
        await scenario.Workload.ProgressAsync("with the broker again", 500);
        await scenario.InSyncAsync();
        await AnswersForAllAsync(scenario, victim);
        await scenario.EndAsync();
    }

    /// <summary>They are all made from the segments: any of them may be missing, cut or of the past.</summary>
    [Fact]
    public async Task Indexes_checkpoints_and_producer_snapshots_that_are_gone_cut_or_old_are_made_again()
    {
        var random = Scenario.NewRandom();
        await using var scenario = await Scenario.StartAsync(configure: static load => load with { ValueBytes = 1000 });
        var past = new Dictionary<string, byte[]>();
        for (var round = 0; round < 3; round++)
        {
            await scenario.Workload.ProgressAsync($"round {round}", 1000);
            var victims = round == 2 ? scenario.Cluster.Brokers : [scenario.Cluster[round + 1]];
            scenario.Cluster.Kill([.. victims.Select(static victim => victim.Id)]);
            foreach (var file in victims.SelectMany(DerivedFilesOf))
            {
                Spoil(file, past, random);
            }

            scenario.Cluster.StartAll();
            await scenario.Cluster.ServesAsync();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    /// <summary>Whether a broker has everything shows when it leads, without each of the others in turn.</summary>
    private static async Task AnswersForAllAsync(Scenario scenario, BrokerNode broker)
    {
        foreach (var other in scenario.Except(broker))
        {
            other.Kill();
            await scenario.LedByOthersAsync(other);
            await scenario.Workload.ReadAsync();
            other.Start();
            await scenario.InSyncAsync();
        }
    }

    private static List<string> LogsOf(BrokerNode broker)
    {
        var logs = Directory.GetFiles(Path.Combine(broker.DataDirectory, "partitions"), "*.log", SearchOption.AllDirectories).ToList();
        Assert.NotEmpty(logs);
        return logs;
    }

    private static IEnumerable<string> DerivedFilesOf(BrokerNode broker) =>
        Directory.GetFiles(Path.Combine(broker.DataDirectory, "partitions"), "*", SearchOption.AllDirectories)
            .Where(static file => !file.EndsWith(".log", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static void Damage(string log, long position, bool isTruncated)
    {
        using var file = new FileStream(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        if (file.Length <= position)
        {
            return;
        }

        file.Position = position;
        if (isTruncated)
        {
            file.SetLength(position);
            return;
        }

        var value = file.ReadByte();
        file.Position = position;
        file.WriteByte((byte)(value ^ 4));
    }

    private static void Spoil(string file, Dictionary<string, byte[]> past, SeededRandom random)
    {
        var content = File.ReadAllBytes(file);
        switch (random.Next(4))
        {
            case 0:
                File.Delete(file);
                break;
            case 1:
                File.WriteAllBytes(file, content[..random.Next(content.Length + 1)]);
                break;
            case 2 when past.TryGetValue(file, out var old):
                File.WriteAllBytes(file, old);
                break;
            case 3 when content.Length > 0:
                content[random.Next(content.Length)] ^= 16;
                File.WriteAllBytes(file, content);
                break;
            default:
                break;
        }

        past[file] = content;
    }
}
