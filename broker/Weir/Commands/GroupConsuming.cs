using Weir.Cli.Output;
using Weir.Client;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Cli.Commands;

/// <summary>Consumes as a member of a group: prints each record, and only then has it count as done.</summary>
internal static class GroupConsuming
{
    public static async Task<int> RunAsync(
        WeirClient client, string topic, string group, GroupMode? mode, long count, OutputFormat format, CancellationToken cancellationToken)
    {
        var known = await FindModeAsync(client, topic, group, mode, cancellationToken).ConfigureAwait(false);
        var stdout = Console.OpenStandardOutput();
        await using (stdout.ConfigureAwait(false))
        {
            var writer = new RecordWriter(format, stdout, isLive: true);
            try
            {
                await (known == GroupMode.Stream
                    ? StreamAsync(client, group, count, writer, cancellationToken)
                    : QueueAsync(client, group, known == GroupMode.Keyed, count, writer, cancellationToken)).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Ctrl-C is how consuming in a group ends.
            }
        }

        return ExitCode.Success;
    }

    private static async Task<GroupMode> FindModeAsync(
        WeirClient client, string topic, string group, GroupMode? wanted, CancellationToken cancellationToken)
    {
        var declared = await client.Admin.ListGroupsAsync(cancellationToken).ConfigureAwait(false);
        if (declared.FirstOrDefault(one => one.Name == group) is { } found)
        {
            return wanted is null || wanted == found.Mode
                ? found.Mode
                : throw new WeirException(ErrorCode.WrongGroupMode, $"group '{group}' is a {found.Mode} group, not a {wanted} one");
        }

        if (wanted is not { } choice)
        {
            throw new WeirException(
                ErrorCode.UnknownGroup, $"group '{group}' does not exist: declare it with `weir group create {group} --mode ... --topics {topic}`");
        }

        await client.Admin.CreateGroupAsync(
            group, new GroupSpec { Mode = choice, Topics = [topic], OnUse = true }, cancellationToken).ConfigureAwait(false);
        return choice;
    }

    private static async Task StreamAsync(
        WeirClient client, string group, long count, RecordWriter writer, CancellationToken cancellationToken)
    {
        var consumer = client.CreateGroupConsumer(group);
        await using (consumer.ConfigureAwait(false))
        {
            await foreach (var record in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                writer.Write(record.Record);
                consumer.MarkFinished(record);
                if (--count <= 0)
                {
                    return;
                }
            }
        }
    }

    private static async Task QueueAsync(
        WeirClient client, string group, bool isKeyed, long count, RecordWriter writer, CancellationToken cancellationToken)
    {
        var consumer = client.CreateQueueConsumer(group, new QueueConsumerOptions { IsKeyed = isKeyed });
        var acknowledged = new Queue<Task>();
        await using (consumer.ConfigureAwait(false))
        {
            try
            {
                await foreach (var delivery in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                {
                    writer.Write(delivery);
                    acknowledged.Enqueue(delivery.AcknowledgeAsync());
                    while (acknowledged.TryPeek(out var oldest) && oldest.IsCompleted)
                    {
                        await ReportAsync(acknowledged.Dequeue()).ConfigureAwait(false);
                    }

                    if (--count <= 0)
                    {
                        break;
                    }
                }
            }
            finally
            {
                foreach (var one in acknowledged)
                {
                    await ReportAsync(one).ConfigureAwait(false);
                }
            }
        }
    }

    private static async Task ReportAsync(Task acknowledged)
    {
        try
        {
            await acknowledged.ConfigureAwait(false);
        }
        catch (WeirException e)
        {
            Terminal.WriteError(e.Message);
        }
    }
}
