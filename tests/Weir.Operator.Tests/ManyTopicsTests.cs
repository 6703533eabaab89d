using System.Text.Json.Nodes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>A thousand topics.</summary>
public sealed class ManyTopicsTests
{
    private const int Topics = 1000;

    /// <summary>Operators that asked the brokers for each topic each few seconds, over a connection each.</summary>
    [Fact]
    public async Task Thousand_topics_take_one_connection_and_then_no_write_at_all()
    {
        await using var bed = await OperatorBed.CreateAsync();
        bed.IsUsual = true;
        for (var topic = 0; topic < Topics; topic++)
        {
            bed.PutTopic($"t{topic:0000}");
        }

        bed.Run();
        var ready = 0;
        await bed.Server.WaitAsync(
            "all are ready",
            () =>
            {
                while (ready < Topics && bed.Server.Get($"{OperatorBed.Topics}t{ready:0000}") is { } topic && IsReady(topic))
                {
                    ready++;
                }

                return ready == Topics ? "yes" : null;
            });
        await using var client = await bed.Broker.ConnectAsync();
        Assert.Equal(Topics, (await client.Admin.ListTopicsAsync(TestContext.Current.CancellationToken)).Count);
        Assert.Equal(2, (await client.Admin.DescribeBrokerAsync(ct: TestContext.Current.CancellationToken)).Connections);

        // A new instance looks at all of them; the one that comes last tells that it has.
        bed.Server.ClearWrites();
        await bed.RestartAsync();
        await bed.Server.WaitForConditionAsync(bed.PutTopic("last"), "Ready", "True");
        Assert.All(bed.Server.Writes, static write => Assert.Contains("/topics/last", write, StringComparison.Ordinal));
    }

    private static bool IsReady(JsonObject topic) => (string?)ApiServer.FindCondition(topic, "Ready")?["status"] == "True";
}
