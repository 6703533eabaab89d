using System.Diagnostics;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Perf;

/// <summary>How long many members took to share a topic out, and what moved when one of them left.</summary>
/// <param name="Members">Members.</param>
/// <param name="Partitions">Partitions.</param>
/// <param name="SettledSeconds">From the first one's start until every partition has an owner that reads it, shared out evenly.</param>
/// <param name="LeftWith">Partitions of the member that left.</param>
/// <param name="Moved">Partitions that got another owner by that.</param>
/// <param name="MovedSeconds">From its leaving until others read what it had.</param>
internal sealed record MembersResult(int Members, int Partitions, double SettledSeconds, int LeftWith, int Moved, double MovedSeconds);

/// <summary>Lets many members join one stream group, and one leave.</summary>
internal sealed class MembersLoad(string servers, string topic)
{
    private const int MembersPerConnection = 50;
    private readonly string _group = $"perf-{Guid.NewGuid():N}";
    private readonly Dictionary<TopicPartition, (int Member, int Times)> _owners = [];
    private readonly Lock _gate = new();

    public async Task<MembersResult> RunAsync(WeirClient client, int members, int partitions, CancellationToken cancellationToken)
    {
        await client.Admin.CreateGroupAsync(_group, new GroupSpec { Mode = GroupMode.Stream, Topics = [topic] }, cancellationToken).ConfigureAwait(false);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var clients = new List<WeirClient>();
        var joined = new List<(WeirGroupConsumer Member, Task Reading)>();
        try
        {
            for (var i = 0; i < (members + MembersPerConnection - 1) / MembersPerConnection; i++)
            {
                clients.Add(await WeirClient.ConnectAsync(servers, cancellationToken).ConfigureAwait(false));
            }

            var stopwatch = Stopwatch.StartNew();
            for (var i = 0; i < members; i++)
            {
                joined.Add(Start(clients[i / MembersPerConnection], i, end.Token));
            }

            await UntilAsync(() => joined.Any(static one => one.Reading.IsCompleted) || IsSharedOut(joined, partitions), cancellationToken)
                .ConfigureAwait(false);
            await (joined.FirstOrDefault(static one => one.Reading.IsCompleted).Reading ?? Task.CompletedTask).ConfigureAwait(false);
            var settled = stopwatch.Elapsed.TotalSeconds;
            var before = Owners();
            var leaving = joined[members / 2];
            var leftWith = leaving.Member.Assignment.Count;
            joined.RemoveAt(members / 2);
            stopwatch.Restart();
            await leaving.Member.DisposeAsync().ConfigureAwait(false);
            await UntilAsync(() => joined.Sum(static one => one.Member.Assignment.Count) == partitions, cancellationToken).ConfigureAwait(false);
            var moved = Owners().Count(pair => before[pair.Key].Times != pair.Value.Times);
            return new MembersResult(members, partitions, settled, leftWith, moved, stopwatch.Elapsed.TotalSeconds);
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(clients.Select(static one => one.DisposeAsync().AsTask())).ConfigureAwait(false);
            await Task.WhenAll(joined.Select(static one => one.Reading)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await client.Admin.DeleteGroupAsync(_group, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static bool IsSharedOut(List<(WeirGroupConsumer Member, Task Reading)> joined, int partitions)
    {
        var counts = joined.Select(static one => one.Member.Assignment.Count).ToList();
        return counts.Sum() == partitions && counts.Max() - counts.Min() <= 1;
    }

    private static async Task UntilAsync(Func<bool> holds, CancellationToken cancellationToken)
    {
        while (!holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    private (WeirGroupConsumer Member, Task Reading) Start(WeirClient client, int number, CancellationToken cancellationToken)
    {
        var member = client.CreateGroupConsumer(_group, new GroupConsumerOptions { PrefetchBytes = 16 * 1024 });
        member.Assigned += partitions =>
        {
            lock (_gate)
            {
                foreach (var partition in partitions)
                {
                    _owners[partition] = (number, _owners.GetValueOrDefault(partition).Times + 1);
                }
            }
        };
        return (member, member.RunAsync(static (_, _) => ValueTask.CompletedTask, maxConcurrency: 1, cancellationToken));
    }

    private Dictionary<TopicPartition, (int Member, int Times)> Owners()
    {
        lock (_gate)
        {
            return new Dictionary<TopicPartition, (int Member, int Times)>(_owners);
        }
    }
}
