using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Connections;

/// <summary>What is said and checked first on every connection.</summary>
internal static class Handshake
{
    private const string SdkName = "weir-dotnet";

    private static readonly string SdkVersion = typeof(Handshake).Assembly.GetName().Version?.ToString(3) ?? "0";

    public static HelloRequest CreateHello(string clientId, string? clusterId, int nodeId, bool passOn) => new()
    {
        ClusterId = clusterId,
        NodeId = nodeId,
        SdkName = SdkName,
        SdkVersion = SdkVersion,
        ClientId = clientId,
        Apis = ApiTable.Ranges,
        PassOn = passOn ? 1 : null,
    };

    public static void Check(HelloResponse hello, string? clusterId, ServerAddress address)
    {
        if (clusterId is not null && hello.ClusterId != clusterId)
        {
            throw new WeirException(
                ErrorCode.WrongCluster, $"{address} belongs to cluster {hello.ClusterId}, not to {clusterId}");
        }

        if (!hello.Mechanisms.Contains(AuthenticateRequest.Anonymous))
        {
            throw new WeirException(
                ErrorCode.AuthenticationFailed,
                $"{address} takes {string.Join(", ", hello.Mechanisms)}; this client has {AuthenticateRequest.Anonymous} only");
        }
    }

    public static bool Speaks(HelloResponse hello, ApiKey api)
    {
        foreach (var range in hello.Apis)
        {
            if (range.Api == api)
            {
                return range.MinVersion <= 1 && range.MaxVersion >= 1;
            }
        }

        return false;
    }
}
